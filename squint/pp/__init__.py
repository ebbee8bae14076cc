"""Prepare sections: the graph of neighbours, the genes they share, and cells of low quality."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
