"""From a data set's videos to stored face crops that training reads at random."""
