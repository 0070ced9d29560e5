//! The program: start, reload, drain, command line.
