"""Whom do the names among the endpoints stand for? The control process asks; everybody else is told.

what is known of a name, and when it is asked again   health/core/discovery.py
how it is asked                                       health/discovery/resolver.py   (dnspython, the extra `dns`)
all names together                                    health/discovery/names.py
"""
