"""What the console knows of an instance: no Textual here, and no widget.

A *subject* is something to follow (the modules of a rank, the log); an *operation* is something
to do (reload a module). Both are plain values. A :class:`~fluxtop.data.source.Source` turns a
subject into a series of immutable messages and carries operations out;
:class:`~fluxtop.data.session.Session` does so live, over a Flux handle, and
:class:`~fluxtop.data.scripted.ScriptedSource` from a script. What the messages mean is worked
out by models without IO and without a clock.
"""
