"""Lanes: each has worker processes of its own, so that no job waits for one of another lane."""

MODEL = "model"  # long work, which may use the model: a process for each GPU, or one for the CPU
FILES = "files"  # files in, which may be large
SHORT = "short"  # what is done in seconds
LANES = (FILES, MODEL, SHORT)  # in the order in which they are made ready

# Whose tasks are made ready in the workers of a lane before its first job. They are the dashboard's, of which
# squint knows no more than the names.
TASKS = {MODEL: "app.tasks.with_model", FILES: "app.tasks.with_files", SHORT: "app.tasks.exports"}
