"""The data: where it comes from, how it is read and checked, what is measured on it, how it is split and stored."""
