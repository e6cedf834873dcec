extension CalibrationText {
  /// A short text for calibrations without one: public domain prose (Lincoln's Gettysburg Address, 1863; the United States
  /// Declaration of Independence, 1776; the opening of Carroll's Alice's Adventures in Wonderland, 1865; Shakespeare's Sonnet 18,
  /// 1609), and lines of code, data and sums written for this purpose.
  public static let builtIn = CalibrationText(
    name: "built-in", documents: [.text(prose + "\n\n" + technical + "\n\n" + sums)])

  private static let prose = """
    Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, and dedicated \
    to the proposition that all men are created equal.

    Now we are engaged in a great civil war, testing whether that nation, or any nation so conceived and so dedicated, can long \
    endure. We are met on a great battle-field of that war. We have come to dedicate a portion of that field, as a final resting \
    place for those who here gave their lives that that nation might live. It is altogether fitting and proper that we should do \
    this.

    But, in a larger sense, we can not dedicate -- we can not consecrate -- we can not hallow -- this ground. The brave men, \
    living and dead, who struggled here, have consecrated it, far above our poor power to add or detract. The world will little \
    note, nor long remember what we say here, but it can never forget what they did here. It is for us the living, rather, to be \
    dedicated here to the unfinished work which they who fought here have thus far so nobly advanced. It is rather for us to be \
    here dedicated to the great task remaining before us -- that from these honored dead we take increased devotion to that cause \
    for which they gave the last full measure of devotion -- that we here highly resolve that these dead shall not have died in \
    vain -- that this nation, under God, shall have a new birth of freedom -- and that government of the people, by the people, \
    for the people, shall not perish from the earth.

    When in the Course of human events, it becomes necessary for one people to dissolve the political bands which have connected \
    them with another, and to assume among the powers of the earth, the separate and equal station to which the Laws of Nature and \
    of Nature's God entitle them, a decent respect to the opinions of mankind requires that they should declare the causes which \
    impel them to the separation.

    We hold these truths to be self-evident, that all men are created equal, that they are endowed by their Creator with certain \
    unalienable Rights, that among these are Life, Liberty and the pursuit of Happiness. That to secure these rights, Governments \
    are instituted among Men, deriving their just powers from the consent of the governed.

    Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or twice she had \
    peeped into the book her sister was reading, but it had no pictures or conversations in it, "and what is the use of a book," \
    thought Alice "without pictures or conversations?"

    So she was considering in her own mind (as well as she could, for the hot day made her feel very sleepy and stupid), whether \
    the pleasure of making a daisy-chain would be worth the trouble of getting up and picking the daisies, when suddenly a White \
    Rabbit with pink eyes ran close by her.

    There was nothing so very remarkable in that; nor did Alice think it so very much out of the way to hear the Rabbit say to \
    itself, "Oh dear! Oh dear! I shall be late!" but when the Rabbit actually took a watch out of its waistcoat-pocket, and looked \
    at it, and then hurried on, Alice started to her feet, for it flashed across her mind that she had never before seen a rabbit \
    with either a waistcoat-pocket, or a watch to take out of it, and burning with curiosity, she ran across the field after it, \
    and fortunately was just in time to see it pop down a large rabbit-hole under the hedge.

    Shall I compare thee to a summer's day?
    Thou art more lovely and more temperate:
    Rough winds do shake the darling buds of May,
    And summer's lease hath all too short a date;
    Sometime too hot the eye of heaven shines,
    And often is his gold complexion dimm'd;
    And every fair from fair sometime declines,
    By chance or nature's changing course untrimm'd;
    But thy eternal summer shall not fade,
    Nor lose possession of that fair thou ow'st;
    Nor shall death brag thou wander'st in his shade,
    When in eternal lines to time thou grow'st:
    So long as men can breathe or eyes can see,
    So long lives this, and this gives life to thee.
    """

  private static let technical = """
    def median(values):
        ordered = sorted(values)
        middle = len(ordered) // 2
        if len(ordered) % 2 == 1:
            return ordered[middle]
        return (ordered[middle - 1] + ordered[middle]) / 2

    struct Point { var x = 0.0, y = 0.0 }
    func distance(_ a: Point, _ b: Point) -> Double {
      ((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y)).squareRoot()
    }

    {"name": "sensor-7", "unit": "celsius", "readings": [21.5, 21.7, 22.0, 21.9], "ok": true}
    SELECT city, COUNT(*) FROM customers WHERE country = 'NO' GROUP BY city ORDER BY 2 DESC;
    $ tar -xzf archive.tar.gz && ls -l archive | grep '^d'

    Question: Why does ice float on water?
    Answer: Because water expands when it freezes. Ice has the same mass in a larger volume, so it is less dense than the water \
    around it and floats.

    Die Sonne scheint, und die Kinder spielen im Garten. Il fait beau aujourd'hui, n'est-ce pas ? El tren sale a las ocho y media.
    """

  /// A table of products, one a line.
  private static let sums =
    (2...19).map { row in (11...14).map { "\(row) × \($0) = \(row * $0)" }.joined(separator: ", ") }
    .joined(separator: "\n")
}
