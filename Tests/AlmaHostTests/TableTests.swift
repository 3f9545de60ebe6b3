import Testing

@testable import AlmaHost

@Suite("Tables for people")
struct TableTests {
    private func table(_ rows: [[String]]) -> Table {
        var table = Table(["NAME", "WHAT"])
        for row in rows { table.add(row) }
        return table
    }

    @Test("columns stand below each other, without blanks at the end of a line")
    func columns() {
        #expect(
            table([["shell", "runs a command"], ["python", ""]]).text() == """
                NAME    WHAT
                shell   runs a command
                python
                """)
    }

    @Test("without titles there are only rows")
    func bare() {
        var table = Table()
        table.add(["a", "b"])
        #expect(table.text() == "a  b")
        #expect(Table().text(width: 10).isEmpty)
    }

    @Test("a cell cannot act on the terminal or begin a line of its own")
    func controls() {
        #expect(table([["a\nb", "\u{1B}[2J"]]).text() == "NAME  WHAT\na\\nb  \\u{1b}[2J")
    }

    @Test("on a terminal the widest cells are cut, short ones are not")
    func cut() {
        let text = table([["shell", String(repeating: "x", count: 60)]]).text(width: 20)
        #expect(text == "NAME   WHAT\nshell  xxxxxxxxxxxx…")
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 20 })
    }

    @Test("a terminal too narrow for anything still gets the beginning of each cell")
    func narrow() {
        #expect(table([["0123456789", "0123456789"]]).text(width: 3).hasSuffix("0123456…  0123456…"))
    }

    @Test(
        "wide and combining characters take the columns that a terminal gives them",
        arguments: [("中文", 4), ("e\u{301}", 1), ("🙂", 2), ("abc", 3), ("ＡＢ", 4), ("…", 1)])
    func width(text: String, columns: Int) {
        #expect(text.columns == columns)
    }

    @Test("a wide character is not cut in half")
    func wideCut() {
        #expect("中文中文".cut(to: 6) == "中文…")
    }
}
