"""A report of sections: a recipe of every choice, the tables computed from it, and its documents."""
