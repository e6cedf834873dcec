/// How report pages look.
enum ReportStyle {
  /// The colours of series, by index; distinct for readers who do not tell red from green (Okabe and Ito 2008).
  static let seriesCount = 6

  /// The style sheet. It holds none of the characters that markup escapes.
  static let sheet = """
    :root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d1d9e0; --page: #ffffff;
      --panel: #f6f8fa; --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b0578d; --s4: #946a00; --s5: #3a9bc9; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e6edf3; --soft: #9da7b1; --line: #3d444d; --page: #0d1117; --panel: #161b22;
        --s0: #4aa8e0; --s1: #f08a4b; --s2: #3fc79a; --s3: #e08fbf; --s4: #e0b040; --s5: #8fd0f0; }
    }
    body { margin: 0; background: var(--page); color: var(--ink);
      font: 16px/1.5 system-ui, sans-serif; }
    main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
    h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
    h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
    p { color: var(--soft); max-width: 45rem; overflow-wrap: anywhere; }
    figure { margin: 1rem 0; padding: 0.5rem; background: var(--panel); border: 1px solid var(--line);
      border-radius: 6px; max-width: 40rem; }
    figcaption { color: var(--soft); font-size: 0.9rem; padding: 0 0.5rem 0.25rem; }
    .grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
    .grid figure { margin: 0; }
    .scroll { overflow-x: auto; margin: 1rem 0; }
    table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
    th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
    tbody th, thead th:first-child { text-align: left; font-weight: normal; }
    thead th { color: var(--soft); font-weight: 600; white-space: normal; vertical-align: bottom; }
    summary { cursor: pointer; color: var(--soft); padding: 0.4rem 0; }
    svg { display: block; width: 100%; height: auto; }
    svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
    svg .soft { fill: var(--soft); }
    svg .axis { stroke: var(--soft); stroke-width: 1; fill: none; }
    svg .rule { stroke: var(--line); stroke-width: 1; fill: none; }
    svg .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
    svg .dashed { stroke-dasharray: 5 4; }
    svg .faint { fill-opacity: 0.25; }
    svg .bar { fill-opacity: 0.85; }
    .c0 { --c: var(--s0); } .c1 { --c: var(--s1); } .c2 { --c: var(--s2); }
    .c3 { --c: var(--s3); } .c4 { --c: var(--s4); } .c5 { --c: var(--s5); }
    svg .stroke { stroke: var(--c); } svg .fill { fill: var(--c); }
    svg .neutral { --c: var(--soft); }

    """
}
