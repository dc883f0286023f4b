"""Measurements that anyone can rerun; run by hand. pytest only looks whether they still run."""
