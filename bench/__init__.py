"""How fast is Tidegate beside the proxies that people would otherwise use? `make bench` answers; see `__main__.py`."""
