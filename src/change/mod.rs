//! A proposed zone change: its base, its target, its diff for people and its signed delta for machines.
