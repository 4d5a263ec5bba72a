"""Carries the bytes of requests and answers between clients and endpoints, and decides nothing."""
