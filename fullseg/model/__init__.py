"""The model: plain torch, no training code."""
