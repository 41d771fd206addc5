"""The playground: TensorBoard's tab Faces, with sliders for a face and the predictions of all runs.

A thin HTTP layer over the rest of the lab. It writes nothing to the disk but decoded pictures of
runs on pictures from disk (`lab.worlds.kept`).
"""
