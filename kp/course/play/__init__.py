"""Play: drag a pose and see β and Ψ follow, slide through a training, look for what hides in skeleton images.

The JavaScript beside this file is the one implementation; ``specs`` makes what it shows, ``page.js`` runs it in the
pages of the book without a kernel, ``widgets`` in a live notebook.
"""
