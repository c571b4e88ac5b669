// style.ts — how the report looks, light and dark. The rate scale is one hue from light to dark (from dark to light on
// dark), so its order survives every kind of colour blindness and a grey printer; numbers stand in the cells besides.
// OKLCH, L 0.955 → 0.36 and 0.255 → 0.83; every number on it has a contrast of at least 4.5.

const LIGHT = [
  "ebf1f8",
  "cedef4",
  "b5cbe9",
  "9eb8dd",
  "88a5d1",
  "7393c3",
  "5e80b6",
  "4b6ea8",
  "385c9a",
  "264a8c",
  "15387d",
];
const DARK = [
  "1e232d",
  "253145",
  "2e415a",
  "375170",
  "406286",
  "49739b",
  "5385b1",
  "5c98c7",
  "64abdc",
  "6dbff2",
  "76d3ff",
];
/** The first step on which the other ink is easier to read. */
const FLIP = { light: 7, dark: 6 };

const steps = (colours: readonly string[]): string => colours.map((colour, i) => `--r${i}:#${colour}`).join(";");
const inks = (flip: number): string =>
  Array.from({ length: 11 }, (_, i) => `--t${i}:var(--${i < flip ? "ink-low" : "ink-high"})`).join(";");

const light = `--page:#fbfbfa;--card:#fff;--ink:#16191d;--soft:#565d66;--faint:#666d77;--rule:#e2e5e9;--accent:#15387d;
--ink-low:#0d1117;--ink-high:#fff;--good:#0b7a50;--bad:#b3340a;--hatch:#d5d9df;
--uuid:#1f6fb4;--passkey:#b2480a;--title:#0b7a50;--needle:#8d4589;--ppl:#7a5c00;${steps(LIGHT)};${inks(FLIP.light)}`;

const dark = `--page:#101317;--card:#171b21;--ink:#eceff3;--soft:#adb5bf;--faint:#8b939e;--rule:#2b313a;--accent:#76d3ff;
--ink-low:#f2f5f9;--ink-high:#0d1117;--good:#4cc79a;--bad:#f39a5b;--hatch:#353c47;
--uuid:#6cb2ee;--passkey:#f39a5b;--title:#4cc79a;--needle:#d79bd6;--ppl:#d9b64b;${steps(DARK)};${inks(FLIP.dark)}`;

const shades = Array.from({ length: 11 }, (_, i) => `.r${i}{fill:var(--r${i})}.t${i}{fill:var(--t${i})}`).join("");
const lines = [
  ["task-uuid", "uuid", ""],
  ["task-passkey", "passkey", "6 3"],
  ["task-title", "title", "2 3"],
  ["task-needle", "needle", "8 3 2 3"],
  ["perplexity", "ppl", ""],
]
  .map(([name, colour, dash]) => `.${name}{--c:var(--${colour})}.${name} .line{stroke-dasharray:${dash || "none"}}`)
  .join("");

/** The report's style sheet. */
export const STYLE = `:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1180px;margin:0 auto;padding:40px 28px 80px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 6px;font-weight:650}
h2{font-size:20px;letter-spacing:-.01em;margin:0 0 4px;font-weight:650}
h3{font-size:15px;margin:22px 0 8px;font-weight:600}
p{margin:0 0 12px;max-width:74ch}
.lead,.about{color:var(--soft)}
.lead{font-size:16px;margin-bottom:22px}
section{margin-top:44px}
.card{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:18px 20px}
.verdict{display:flex;gap:12px;align-items:baseline;margin:0 0 20px;padding:12px 16px;border-left:4px solid var(--good);background:var(--card);border-radius:0 8px 8px 0}
.verdict.bad{border-color:var(--bad)}
.panels{display:flex;flex-wrap:wrap;gap:22px 24px;margin-top:14px}
figure.panel{margin:0}
figure.wide{flex:1 1 268px;max-width:350px;min-width:240px}
figure.wide svg{width:100%;height:auto}
figcaption{font-weight:600;font-size:14px;margin-bottom:2px}
svg{display:block;max-width:100%;overflow:visible;font-family:inherit}
svg text{fill:var(--soft);font-size:11px}
svg .number{font-size:12.5px;font-weight:550;font-variant-numeric:tabular-nums}
svg .tick{font-variant-numeric:tabular-nums}
svg .note{font-size:10px;fill:var(--faint)}
svg .axis,svg .faint{fill:var(--faint)}
svg .mid{text-anchor:middle}
svg .end{text-anchor:end}
${shades}
.hopeless{fill:url(#hatch);stroke:var(--rule)}
.unrun{fill:none;stroke:var(--rule);stroke-dasharray:3 3}
.cell:focus{outline:none}
.cell:focus rect,.cell:hover rect{stroke:var(--ink);stroke-width:2}
.cell:focus .marker,.cell:hover .marker{stroke:var(--ink);stroke-width:2}
.boundary line{stroke:var(--ink);stroke-width:1.2}
.boundary.reach line{stroke-dasharray:3 3}
.grid{stroke:var(--rule);stroke-width:1}
.grid.good{stroke:var(--faint);stroke-dasharray:1 3}
.ghost{fill:none;stroke:var(--faint);stroke-width:1;opacity:.28}
${lines}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.band{fill:var(--c);opacity:.15}
.whisker{stroke:var(--c);stroke-width:1.5}
.marker{fill:var(--c);stroke:var(--card);stroke-width:1.5}
.target{fill:transparent}
.reached{fill:var(--faint);opacity:.1}
.legend{display:flex;flex-wrap:wrap;gap:6px 20px;margin:10px 0 0;padding:0;list-style:none;font-size:13px;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:7px}
.key{margin-top:14px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px}
.scroll{overflow-x:auto}
th,td{padding:6px 18px 6px 0;text-align:left;border-bottom:1px solid var(--rule);vertical-align:baseline}
thead th{color:var(--faint);font-weight:500;font-size:13px}
tbody th{font-weight:600}
td.n,th.n{text-align:right}
.bar{display:flex;align-items:center;gap:10px;min-width:170px}
.bar i{display:block;height:9px;border-radius:0 3px 3px 0;background:var(--uuid);min-width:2px}
.yes{color:var(--good);font-weight:600}
.no{color:var(--bad);font-weight:600}
.faint{color:var(--faint);font-weight:400}
details{border-top:1px solid var(--rule);padding:8px 0}
.panels+details{margin-top:20px}
details details{margin-left:20px}
summary{cursor:pointer}
.failure p{margin:10px 0 0}
summary .faint{margin-left:8px}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 12px;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;margin:6px 0 12px}
code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
mark{background:none;color:inherit;border-bottom:2px solid var(--passkey);font-weight:700}
a{color:var(--accent)}
#tip{position:fixed;z-index:9;pointer-events:none;white-space:pre-line;background:var(--ink);color:var(--page);border-radius:7px;padding:8px 11px;font-size:12.5px;line-height:1.45;max-width:320px;box-shadow:0 4px 18px rgb(0 0 0/.25);opacity:0;transition:opacity .08s}
#tip.on{opacity:1}
#tip::first-line{font-weight:650}
footer{margin-top:56px;color:var(--faint);font-size:13px}
@media (max-width:640px){main{padding:24px 16px 60px}h1{font-size:25px}}
@media print{body{background:#fff}section{break-inside:avoid}#tip{display:none}}
`;
