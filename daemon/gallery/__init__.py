"""outbox/index.html, the page of all paintings.

Runs in a thread of the daemon; readers make its thumbnails. Imports processes, storage, provenance, previews, assets,
errors, filenames, events, text and transfer's steps.
"""
