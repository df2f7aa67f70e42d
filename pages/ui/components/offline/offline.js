// In place of Streamlit: gives the component above its data, lets a hand change its settings where a page has some, and keeps what
// was done in the file's own address. `component` is the component's default export, `readView(data, asked)` makes a valid view of
// what an address says; what the page holds stands in the document as JSON.
{
  const page = JSON.parse(document.getElementById("page").textContent)
  const root = document.getElementById("host").attachShadow({ mode: "open" })
  const make = (tag, more, ...children) => {
    const node = Object.assign(document.createElement(tag), more)
    node.append(...children)
    return node
  }
  root.append(make("style", { textContent: page.css }))

  // -- what was done: in the address by the names of a setting and a view, where it differs from what the file holds ---------
  const { data } = page
  const saved = { ...data.setting, ...data.start }
  let [asked, view, written] = [Object.fromEntries(new URLSearchParams(location.hash.slice(1))), data.start, location.hash]
  if ((asked.v ?? page.version) !== page.version) asked = {}
  const keep = () => {
    const moved = Object.entries({ ...data.setting, ...view }).filter(([name, value]) => String(value ?? "") !== String(saved[name] ?? ""))
    const text = new URLSearchParams(moved.map(([name, value]) => [name, value ?? ""]))
    location.replace((written = `#${text}`))
  }
  addEventListener("hashchange", () => location.hash.slice(1) === written.slice(1) || location.reload())
  const draw = () => component({ data: { ...data }, parentElement: root, setStateValue: (_, told) => (view = told, keep()) })

  // -- settings: one list each; a scene sets them all and asks its question ----------------------------------------------
  const list = (label, values, choose) => {
    const select = make("select", { ariaLabel: label, onchange: () => choose(select.value) }, ...values.map(([value, text]) => make("option", { value, textContent: text })))
    return { select, node: make("label", {}, make("span", { textContent: label }), select) }
  }
  const typed = (name, value) => (typeof data.setting[name] === "number" ? Number(value) : value)
  const lists = page.settings.map(({ name, label, values }) => ({ name, ...list(label, values, (value) => set({ [name]: typed(name, value) })) }))
  const scenes = list(page.scene_label, [["", "–"], ...page.scenes.map(({ label }, at) => [String(at), label])], (at) => set(page.scenes[at]?.setting ?? {}))
  const asking = make("section", { className: "asked" })
  const set = (change) => {
    data.setting = { ...data.setting, ...change }
    show()
    draw()
  }
  const show = () => {
    const { setting } = data
    for (const { name, select } of lists) select.value = String(setting[name])
    const at = page.scenes.findIndex((scene) => Object.keys(setting).every((name) => scene.setting[name] === setting[name]))
    scenes.select.value = at < 0 ? "" : String(at)
    asking.replaceChildren(...(at < 0 ? [] : told(page.scenes[at])))
  }
  const told = ({ note, question, options, reveal }) => [
    make("p", { textContent: note }), make("p", {}, make("b", { textContent: question })),
    make("ul", {}, ...options.map((text) => make("li", { textContent: text }))),
    ...(reveal ? [make("details", {}, make("summary", { textContent: page.answer_label }), make("p", { textContent: reveal }))] : []),
  ]

  for (const { name, values } of page.settings) if (values.some(([value]) => value === asked[name])) data.setting[name] = typed(name, asked[name])
  data.start = view = readView(data, { ...data.start, ...asked })
  if (page.settings.length) {
    document.getElementById("settings").append(make("div", { className: "lists" }, scenes.node, ...lists.map(({ node }) => node)), asking)
    show()
  }
  draw()
}
