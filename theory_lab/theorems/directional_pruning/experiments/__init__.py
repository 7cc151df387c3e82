"""Problems, coupled paths and their limits, none of which knows a formula."""
