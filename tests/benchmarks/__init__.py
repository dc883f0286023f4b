"""Measurements that anyone can rerun; run by hand, never by pytest."""
