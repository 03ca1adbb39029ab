"""The depth of a face, as Eq. 1 of the paper has it: 0 far or no face, 1 nearest."""
