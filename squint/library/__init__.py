"""What is kept: sections and what was made of them as files, and records of both in a database."""
