"""The data: what happens to one change. Nothing lives here yet: `config/unbuilt.py` refuses what would need it."""
