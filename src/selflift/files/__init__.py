"""Files: safe readers of untrusted files, and atomic writes."""
