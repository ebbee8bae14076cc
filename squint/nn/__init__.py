"""Parts of the model: tensors in, tensors out."""
