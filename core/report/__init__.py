"""What a run leaves behind: summary.json, report.html, CSV, JUnit."""
