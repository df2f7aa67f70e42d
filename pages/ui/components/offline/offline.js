// In place of Streamlit: gives the component above its data and, where a page has settings, lets a hand change them.
// `component` is the component's default export; what the page holds stands in the document as JSON.
{
  const page = JSON.parse(document.getElementById("page").textContent)
  const root = document.getElementById("host").attachShadow({ mode: "open" })
  const make = (tag, more, ...children) => {
    const node = Object.assign(document.createElement(tag), more)
    node.append(...children)
    return node
  }
  root.append(make("style", { textContent: page.css }))
  const draw = () => component({ data: page.data, parentElement: root, setStateValue: () => {} })

  // -- settings: one list each; a scene sets them all and asks its question ----------------------------------------------
  const list = (label, values, choose) => {
    const select = make("select", { ariaLabel: label, onchange: () => choose(select.value) }, ...values.map(([value, text]) => make("option", { value, textContent: text })))
    return { select, node: make("label", {}, make("span", { textContent: label }), select) }
  }
  const lists = page.settings.map(({ name, label, values }) => {
    const numeric = typeof page.data.setting[name] === "number"
    return { name, ...list(label, values, (value) => set({ [name]: numeric ? Number(value) : value })) }
  })
  const scenes = list(page.scene_label, [["", "–"], ...page.scenes.map(({ label }, at) => [String(at), label])], (at) => set(page.scenes[at]?.setting ?? {}))
  const asked = make("section", { className: "asked" })
  const set = (change) => {
    page.data = { ...page.data, setting: { ...page.data.setting, ...change } }
    show()
    draw()
  }
  const show = () => {
    const { setting } = page.data
    for (const { name, select } of lists) select.value = String(setting[name])
    const at = page.scenes.findIndex((scene) => Object.keys(setting).every((name) => scene.setting[name] === setting[name]))
    scenes.select.value = at < 0 ? "" : String(at)
    asked.replaceChildren(...(at < 0 ? [] : told(page.scenes[at])))
  }
  const told = ({ note, question, options, reveal }) => [
    make("p", { textContent: note }), make("p", {}, make("b", { textContent: question })),
    make("ul", {}, ...options.map((text) => make("li", { textContent: text }))),
    ...(reveal ? [make("details", {}, make("summary", { textContent: page.answer_label }), make("p", { textContent: reveal }))] : []),
  ]

  if (page.settings.length) {
    document.getElementById("settings").append(make("div", { className: "lists" }, scenes.node, ...lists.map(({ node }) => node)), asked)
    show()
  }
  draw()
}
