"""Error rates and thresholds of presentation attack detection (ISO/IEC 30107-3), in NumPy alone."""
