# Compiled as it is written: no types of C are needed for what is gained.
