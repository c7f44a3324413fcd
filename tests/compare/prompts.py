"""Twenty texts for comparisons on a real checkpoint: code, numbers, quotes, other scripts, emoji, one long."""

LONG = """\
The lighthouse keeper's daughter counted ships before she could count sheep. By the age of six she knew a brig
from a barque by the set of its masts, and by ten she kept the log herself, in a hand so small that the
inspector from the mainland asked for a glass to read it. On the night of the great storm, the one they still
speak of in the villages along that coast, her father was lying in bed with a fever and the oil was down to
the last two drums. She carried them up one at a time, a hundred and forty-four steps, resting at each landing
with her cheek against the cold wall, and she listened to the sea trying the door below like a man who has
lost his key.

At a quarter past two the glass of the lantern broke on the weather side. She had been told what to do in such
a case: hang the storm panes, trim the wick low, and turn the shutter by hand until morning. What she had not
been told was how long a night is when it is measured in turns of a brass handle, or how the mind begins to
invent voices out of the wind in order to have somebody to argue with. She argued with her grandmother, who
had been dead for three years and who did not approve. She argued with the inspector about the size of her
letters. Towards four o'clock she argued with God, and found Him more reasonable than she had expected, though
not inclined to promise anything.

When the light came there were eleven ships in the bay, every one of them afloat. Nobody aboard knew that the
lamp had been turned by a girl of twelve with bleeding hands. They knew only that it had blinked a little
slower than the almanac said it should, once in every nine seconds instead of once in every eight, and the
captain of the largest, a careful man from Bergen, wrote to the authorities to complain of it. The letter was
answered politely. The keeper, it said, had been spoken to about the matter, and it would not occur again. No
mention was made of the glass, nor of the storm, which the clerk who wrote it had slept through. She kept that
letter all her life, in the same drawer as the log, and showed it to visitors with great pride; and when
anyone asked her what she had learned on the night of the storm, she used to say"""

PROMPTS = [
    "The capital of France is",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "int main(void)\n{\n\tfor (int i = 0; i < 10; i++)\n\t\tprintf(\"%d\\n\", i);\n",
    "3.14159 + 2.71828 = 5.85987, and 1024 * 768 =",
    "Phone: +44 20 7946 0958, postcode SW1A 1AA, total \u00a31,234,567.89. Year:",
    "\u201cI never said that,\u201d she whispered. \u2018Then who did?\u2019 he asked. \u201cIt was\u2014",
    "It's 'quoted' and \"double-quoted\", isn't it? They'd've said: `back-ticked`. Don't",
    "\u4e2d\u56fd\u7684\u9996\u90fd\u662f\u5317\u4eac\uff0c\u65e5\u672c\u7684\u9996\u90fd\u662f",
    "Emoji \U0001f600\U0001f44d\U0001f3fd\u200d \U0001f468\u200d\U0001f469\u200d\U0001f467 mean: \u2764\ufe0f is",
    "First line\nsecond line\n\nfourth line after a blank one\n\n\n- item 1\n- item 2\n-",
    "  leading spaces,   inner   runs, tabs\t\tand trailing  ",
    "na\u00efve caf\u00e9 \u00fcber Stra\u00dfe, \u0141\u00f3d\u017a, "
    "cr\u00e8me br\u00fbl\u00e9e: les mots fran\u00e7ais",
    "{\"name\": \"Ada\", \"born\": 1815, \"tags\": [\"math\", null, true, -1.5e-3], \"next\":",
    "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n",
    "SELECT name, COUNT(*) FROM orders WHERE price >= 10.5 GROUP BY name HAVING COUNT(*) >",
    "\u041c\u043e\u0441\u043a\u0432\u0430 \u2014 "
    "\u0441\u0442\u043e\u043b\u0438\u0446\u0430 \u0420\u043e\u0441\u0441\u0438\u0438, "
    "\u0391\u03b8\u03ae\u03bd\u03b1 \u05d9\u05e8\u05d5\u05e9\u05dc\u05d9\u05dd "
    "\u0627\u0644\u0642\u0627\u0647\u0631\u0629",
    "a",
    "the the the the the the the the the the the the the the the the the the the the the",
    "Let $x \\in \\mathbb{R}^n$ and $\\|x\\|_2 \\le 1$. Then $\\sum_{i=1}^{n} x_i^2 \\leq$",
    LONG,
]
