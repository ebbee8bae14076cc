"""What the files of a report are called."""

HTML, PDF, ZIP = "report.html", "report.pdf", "report.zip"
