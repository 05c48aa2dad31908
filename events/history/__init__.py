"""How the pipeline has been: sampled by whichever worker comes first, folded into coarser slots, read as series."""
