//! The program that ships, and its speed and end.
