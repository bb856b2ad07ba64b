"""Sweeps over a network's hyperparameters, on Ray Tune with Optuna: what is searched, how, and what a trial is."""
