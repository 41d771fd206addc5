"""The playground: draw a face with sliders, and watch every trained network make up its mind.

A tab of TensorBoard. A thin layer of HTTP over what the rest of the lab can do: it draws and
measures nothing by itself, and writes nothing to the disk.
"""
