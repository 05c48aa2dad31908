"""The log: appending, what a worker's batch does to it, what operators ask of it. Its statements are in `sql/`.

They are written by hand because the same through model instances runs at a fifth of the speed (see docs/decisions).
Everything else about events goes through the ORM.
"""
