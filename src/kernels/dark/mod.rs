//! Dark subtraction, threshold, sum and run detection in one pass over the pixels.
