"""Data: bronze → silver → gold → publish. It knows nothing of HTTP or the command line."""
