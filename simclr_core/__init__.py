"""SimCLR: train an encoder, encode images, diagnose the embedding space.

Importing this package imports numpy at most. Torch, UMAP, t-SNE and scikit-learn load inside the module or function
that needs them, so that a page of pure arithmetic opens at once.
"""

__version__ = "0.1.0"
