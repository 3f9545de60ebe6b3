import Testing

@testable import AlmaPolicy

@Suite("Text of a policy")
struct PolicyTextTests {
    @Test(
        "what is not the small part of YAML is refused with its place",
        arguments: [
            (
                "name: &x p\nprofiles: {a: {}}",
                "p.yaml:1:7: an anchor, or text that looks like one (`&` before a word); policies have none"
            ),
            (
                "name: p\ndescription: *x\nprofiles: {a: {}}",
                "p.yaml:2:14: an alias; policies have none, write the value out"
            ),
            ("name: !x p\nprofiles: {a: {}}", "p.yaml:1:7: a tag (`!x`); policies have none"),
            ("name: !!str p\nprofiles: {a: {}}", "p.yaml:1:7: a tag (`tag:yaml.org,2002:str`); policies have none"),
            ("name: p\nprofiles: !!map {a: {}}", "p.yaml:2:11: a tag (`tag:yaml.org,2002:map`); policies have none"),
            ("name: p\nprofiles: {a: {}}\n---\nname: q\n", "p.yaml:3:1: a second document"),
            ("name: p\nname: q\nprofiles: {a: {}}", "p.yaml:1:1: the same key twice in one mapping: `name`"),
            ("name: p\nprofiles:\n  a: {}\n  b: {}\n  a: {}", "p.yaml:3:3: the same key twice in one mapping: `a`"),
            (
                "name: p\nprofiles:\n  a:\n    limits: {wall: 1s, cpu: 1s, wall: 2s}",
                "p.yaml:4:14: the same key twice in one mapping: `wall`"
            ),
            (
                "name: p\nprofiles:\n  a:\n    mounts: [{bind: /usr, \"bind\": /bin}]",
                "p.yaml:4:15: the same key twice in one mapping: `bind`"
            ),
            ("name: p\n[a]: b\nprofiles: {a: {}}", "p.yaml:2:1: a key must be text"),
            (
                "name: p\nprofiles:\n  a: {}\n  <<: {}",
                "p.yaml:4:3: `<<` is no profile name: a-z first, then a-z, 0-9, `_` and `-`, 64 at most"
            ),
            ("", "p.yaml:1:1: the file is empty; a policy needs `name` and `profiles`"),
            ("# only a comment\n", "p.yaml:1:1: the file is empty; a policy needs `name` and `profiles`"),
            ("- name: p", "p.yaml:1:1: a policy must be a mapping, this is a list"),
            (
                "name: p\nprofiles: {a: [}",
                "p.yaml:2:16: not YAML: while parsing a flow node: did not find expected node content"
            ),
            ("name: \u{1}", "p.yaml:1:7: not YAML: control characters are not allowed"),
        ])
    func refused(yaml: String, problem: String) { #expect(problems(yaml) == [problem]) }

    @Test("bytes that are not UTF-8 are refused at the first of them")
    func notUTF8() {
        #expect(problems(Array("name: p\ndé: ".utf8) + [0xFF, 0x20]) == ["p.yaml:2:5: not UTF-8"])
    }

    @Test("more than 1 MiB is refused unread")
    func tooLarge() {
        let yaml = [UInt8](repeating: UInt8(ascii: "#"), count: 1_048_577)
        #expect(problems(yaml) == ["p.yaml: larger than 1 MiB, the most a policy file may be"])
    }

    @Test("nesting is bounded, however deep the text goes", arguments: [17, 900, 100_000])
    func deep(levels: Int) {
        let yaml = "name: p\nprofiles: " + String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        #expect(problems(yaml).count == 1)
        #expect(problems(yaml)[0].hasPrefix("p.yaml:2:"))
    }

    @Test("nested aliases cost no time")
    func aliasBomb() {
        let levels = (1...30).map { level in
            "k\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ","))]"
        }
        let yaml = "k0: &a0 x\n" + levels.joined(separator: "\n") + "\n? *a30\n: y\n"
        #expect(problems(yaml).first?.hasPrefix("p.yaml:1:5: an anchor") == true)
    }

    @Test("`&` and `!` inside words and on their own are plain text")
    func ordinaryText() throws {
        #expect(try load("name: p\ndescription: R&D & more!\nprofiles: {a: {}}").description == "R&D & more!")
    }

    @Test("all problems are reported, in the order of the file")
    func all() {
        let yaml = "name: P\ncolour: red\nprofiles:\n  a: {network: all}\n  b: {limits: {wall: 30}}"
        #expect(
            problems(yaml) == [
                "p.yaml:1:7: `P` is no name: a-z first, then a-z, 0-9, `_` and `-`, 64 at most",
                "p.yaml:2:1: unknown key `colour`; a policy may have: "
                    + "name, description, extends, levels, rules, profiles, cache, examples",
                "p.yaml:4:16: network: `all` must be none or loopback",
                "p.yaml:5:22: limits.wall: `30` is no amount; write 500ms, 10s, 2m or 1h",
            ])
    }
}
