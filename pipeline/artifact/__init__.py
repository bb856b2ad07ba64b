"""What export makes of a trained network: calibration, novelty, integers, one ONNX file."""
