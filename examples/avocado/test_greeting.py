"""Tests of Avocado's own sort: they take avocado-framework to run, and nothing to be listed."""

import os

from avocado import Test


class GreetingTest(Test):
    """
    :avocado: tags=fast
    """

    def test_a_parameter_has_a_default(self):
        name = self.params.get("name", default="world")
        self.log.info("hello, %s", name)
        self.assertEqual(name, "world")

    def test_what_is_kept(self):
        """
        :avocado: tags=disk
        """
        with open(os.path.join(self.outputdir, "greeting.txt"), "w") as file:
            file.write("hello\n")
        self.whiteboard = "one greeting was kept"
