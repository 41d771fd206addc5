"""Tables, plots and TensorBoard records of grids."""
