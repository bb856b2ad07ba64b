"""The networks that introductions to neural networks show, trained by the pipeline's code in a graph of their own."""
