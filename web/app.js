/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The page of a program. Texts that come from the network are set as text, never as markup. One event stream a tab, closed while
 * the tab is hidden; without a free stream the page asks once a second.
 */
"use strict";

/* --- Small parts ------------------------------------------------------------------------------- */

const byId = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
	const el = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {})) {
		if (name.startsWith("on"))
			el.addEventListener(name.slice(2), value);
		else if (value === true)
			el.setAttribute(name, "");
		else if (value !== false && value !== null && value !== undefined)
			el.setAttribute(name, value);
	}
	el.append(...children.filter((c) => c !== null && c !== undefined));
	return el;
}

const number = new Intl.NumberFormat();
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const rateOf = (v) => (v >= 100 ? number.format(Math.round(v)) : v ? v.toFixed(1) : "0");

function span(seconds) {
	const s = Math.max(0, Math.round(seconds));
	if (s < 60)
		return s + " s";
	if (s < 3600)
		return Math.floor(s / 60) + " min";
	if (s < 172800)
		return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
	return Math.floor(s / 86400) + " days";
}

function moment(seconds) {
	return make("time", { datetime: new Date(seconds * 1000).toISOString() }, new Date(seconds * 1000).toLocaleString());
}

async function api(path) {
	const response = await fetch("/api/v1/" + path, { cache: "no-store" });
	const value = await response.json();
	if (!response.ok)
		throw new Error(value.text || response.statusText);
	return value;
}

async function command(name, args) {
	const body = { command: name };
	if (args)
		body.arguments = args;
	const response = await fetch("/", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
	const value = await response.json();
	const answer = Array.isArray(value) ? value[0] : value;
	if (answer.result !== 0 && answer.result !== 3)
		throw new Error(answer.text);
	return answer;
}

function ask(text, yes) {
	const dialog = byId("confirm");
	byId("confirm-text").textContent = text;
	byId("confirm-yes").textContent = yes;
	dialog.returnValue = "no";
	dialog.showModal();
	return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

function bar(used, total) {
	const part = total ? Math.min(1, used / total) : 0;
	const fill = make("i", { class: part >= 0.9 ? "full" : "" });
	fill.style.width = (part * 100).toFixed(1) + "%";
	return make("span", { class: "bar", "aria-hidden": "true" }, fill);
}

/* A trace as a list of steps: the stages that ended, and their findings before them. */
function steps(trace) {
	const list = make("ol", { class: "steps" });
	for (const part of trace.split("; "))
		list.append(make("li", { class: /^[A-Z_]+: (done|drop|parked|sent)$/.test(part) ? "name" : part.startsWith("=>") ? "end" : null }, part));
	return list;
}

function failure(error) {
	return make("p", { class: "error", role: "alert" }, String(error.message || error));
}

/* Returns a number with its noun. */
function counted(n, noun) {
	return number.format(n) + " " + noun + (n === 1 ? "" : "s");
}

/* A table with sortable columns. columns: {name, num, sort, cell(row)}. */
function table(caption, columns, options) {
	const body = make("tbody");
	const state = { sort: options && options.sort || null, down: Boolean(options && options.down) };
	const heads = columns.map((c) => {
		const th = make("th", { scope: "col", class: c.num ? "num" : null });
		th.append(c.sort ? make("button", { type: "button", onclick: () => {
			state.down = state.sort === c.sort ? !state.down : Boolean(c.num);
			state.sort = c.sort;
			mark();
			options.onsort(state);
		} }, c.name) : c.name);
		return th;
	});
	function mark() {
		columns.forEach((c, i) => {
			if (c.sort && c.sort === state.sort)
				heads[i].setAttribute("aria-sort", state.down ? "descending" : "ascending");
			else
				heads[i].removeAttribute("aria-sort");
		});
	}
	mark();
	const el = make("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
		make("table", { class: "cards" }, make("caption", { class: "hidden" }, caption), make("thead", {}, make("tr", {}, ...heads)), body));
	return {
		el, state,
		fill(rows) {
			/* the focus stays on its row */
			const focused = document.activeElement && body.contains(document.activeElement)
				? document.activeElement.closest("tr").dataset.key + "\n" + document.activeElement.textContent : null;
			body.replaceChildren(...rows.map((row) => {
				const tr = make("tr", { "data-key": row.key });
				columns.forEach((c) => tr.append(make("td", { class: c.num ? "num" : c.whole ? "whole" : null, "data-name": c.name }, c.cell(row))));
				return tr;
			}));
			if (focused)
				for (const b of body.querySelectorAll("button, a"))
					if (b.closest("tr").dataset.key + "\n" + b.textContent === focused)
						b.focus({ preventScroll: true });
		},
	};
}

/* --- State ------------------------------------------------------------------------------------ */

const app = { about: null, tick: null, before: null, ticks: [], view: null, log: [], stream: null, timer: null, release: null, seen: 0, searches: false, nextLine: 0, logSince: 0 };

/* Returns how much a counter grew a second. */
function grown(read) {
	if (!app.tick || !app.before || app.tick.time <= app.before.time)
		return 0;
	const now = read(app.tick), then = read(app.before);
	return now >= then ? (now - then) * 1000 / (app.tick.time - app.before.time) : 0;
}

/* --- Server: pipeline ----------------------------------------------------------------------------- */

function pipelineView(main) {
	const list = make("ol", { class: "stages", "aria-label": "Stages in the order of a packet" });
	const panel = make("div", { hidden: true, class: "panel", "aria-live": "polite" });
	const stages = app.about.stages.map((s) => {
		const rate = make("span", { class: "rate" }), drops = make("ul", { class: "drops", "aria-label": "Drops at " + s.name });
		const edge = make("li", { class: "edge" });
		list.append(edge, make("li", { class: "stage" },
			make("div", {}, make("h3", {}, s.name), make("p", {}, s.purpose)), make("div", {}, rate), drops));
		return { s, rate, drops, edge, shown: "" };
	});
	const out = make("li", { class: "edge" });
	list.append(out);
	main.append(make("h2", {}, app.about.titles.pipeline), list, panel);

	async function showDrops(name, sentence) {
		panel.hidden = false;
		panel.replaceChildren(make("h3", { tabindex: "-1" }, "Last packets dropped: " + name), make("p", {}, sentence));
		panel.firstChild.focus();
		try {
			const answer = await api("drops?reason=" + encodeURIComponent(name));
			if (!answer.items.length)
				panel.append(make("p", { class: "none" }, "None since this page began to look. Traces of such packets are kept for the next minute."));
			for (const item of answer.items)
				panel.append(make("p", {}, moment(item.time), " at stage " + item.stage), steps(item.trace));
		} catch (error) {
			panel.append(failure(error));
		}
		panel.append(make("div", { class: "row" },
			make("button", { type: "button", onclick: () => showDrops(name, sentence) }, "Look again"),
			make("button", { type: "button", onclick: () => { panel.hidden = true; } }, "Close")));
	}

	function dropRow(name) {
		const about = app.about.drops[name] || { sentence: "" };
		const total = make("span", { class: "n" }), rate = make("span", { class: "rate" });
		const row = make("li", {}, total, app.about.traces ? make("button", { type: "button", class: "plain", onclick: () => showDrops(name, about.sentence) }, name) : make("strong", {}, name),
			make("span", {}, about.sentence), rate);
		return { row, update() {
			const v = grown((t) => (t.drops[name] || [0])[0]);
			total.textContent = number.format(app.tick.drops[name][0]);
			rate.textContent = v ? rateOf(v) + "/s" : "";
			rate.className = v ? "rate moving" : "rate";
		} };
	}

	return { update() {
		const t = app.tick;
		let left = t.received, flow = grown((x) => x.received);
		for (const g of stages) {
			const names = Object.keys(t.drops).filter((n) => t.drops[n][1] === g.s.name).sort();
			if (t.stages) { /* packets may pass a dissector by */
				left = t.stages[g.s.name];
				flow = grown((x) => x.stages[g.s.name]);
			}
			g.edge.textContent = rateOf(flow) + " packets/s, " + number.format(left) + " in all";
			g.rate.textContent = g.s.parked && t.parked ? number.format(t.parked) + " parked" : "";
			if (names.join() !== g.shown) {
				g.shown = names.join();
				g.rows = names.map(dropRow);
				g.drops.replaceChildren(...(names.length ? g.rows.map((r) => r.row) : []));
			}
			for (const r of g.rows || [])
				r.update();
			for (const n of names) {
				left -= t.drops[n][0];
				flow -= grown((x) => (x.drops[n] || [0])[0]);
			}
		}
		out.textContent = rateOf(grown((x) => x.sent)) + " " + app.about.titles.sent + "/s, " + number.format(t.sent) + " in all";
	} };
}

/* --- Server: addresses ------------------------------------------------------------------------------ */

const leaseStates = { 0: "assigned", 1: "declined", 2: "reclaimed", 3: "released", 4: "registered" };

function leasesPart(main, given) {
	const text = make("input", { type: "search", id: "search", placeholder: "address, MAC, client-id, host name" });
	const subnet = make("input", { type: "number", min: "1", id: "lease-subnet", size: "6" });
	const state = make("select", {}, ...["any", "assigned", "declined", "reclaimed"].map((s) => make("option", {}, s)));
	const note = make("p", { role: "status" }), more = make("button", { type: "button", hidden: true }, "More");
	const rows = [];
	let next = null, run = 0;
	const columns = [
		{ name: "Address", whole: true, cell: (l) => l["ip-address"] },
		{ name: "Hardware address", whole: true, cell: (l) => l["hw-address"] ? make("a", { href: "#client=" + l["hw-address"] }, l["hw-address"]) : "" },
		{ name: "Client id", cell: (l) => l["client-id"] || "" },
		{ name: "Host name", cell: (l) => l.hostname || "" },
		{ name: "State", whole: true, cell: (l) => (leaseStates[l.state] || l.state) + (l.reserved ? ", reserved" : "") },
		{ name: "Subnet", num: true, cell: (l) => String(l["subnet-id"]) },
		{ name: "Expires", cell: (l) => make("span", {}, "in " + span(l.cltt + l["valid-lft"] - Date.now() / 1000) + ", ", moment(l.cltt + l["valid-lft"])) },
		{ name: "Action", whole: true, cell: (l) => app.about.write ? make("button", { type: "button", class: "danger", "aria-label": "Delete " + l["ip-address"], onclick: () => remove(l) }, "Delete") : "" },
	];
	const t = table("Leases", columns, { onsort() {} });

	async function remove(l) {
		if (!await ask("Delete the lease of " + l["ip-address"] + "? Its client keeps the address until it renews.", "Delete"))
			return;
		try {
			await command("lease4-del", { "ip-address": l["ip-address"] });
			search();
		} catch (error) {
			note.replaceChildren(failure(error));
		}
	}

	async function load(mine) {
		let scanned = 0;
		try {
			for (let found = 0; found < 100 && next !== null && mine === run;) {
				const q = new URLSearchParams({ text: text.value.trim(), subnet: subnet.value, state: state.value, from: next, limit: 100 - found });
				const answer = await api("leases?" + q);
				if (mine !== run)
					return;
				found += answer.items.length;
				scanned += answer.scanned;
				next = answer.next || null;
				for (const l of answer.items)
					rows.push({ key: l["ip-address"], ...l });
				t.fill(rows);
				note.textContent = counted(rows.length, "lease") + " shown" + (next !== null ? ", " + number.format(scanned) + " looked at" : ", that is all");
			}
		} catch (error) {
			note.replaceChildren(failure(error));
		}
		more.hidden = next === null;
	}

	function search() {
		rows.length = 0;
		next = "start";
		load(++run);
	}
	let typing = null;
	for (const input of [text, subnet, state])
		input.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(search, 250); });
	more.addEventListener("click", () => load(run));
	if (given.subnet)
		subnet.value = given.subnet;
	if (given.text)
		text.value = given.text;
	main.append(make("h2", {}, "Leases"), make("div", { class: "row" }, make("label", {}, "Search", text), make("label", {}, "Subnet id", subnet),
		make("label", {}, "State", state)), note, t.el, make("div", { class: "row" }, more));
	search();
	focusSearch();
}

/* Moves the focus to the search, if its key was pressed. */
function focusSearch() {
	if (app.searches && byId("search"))
		byId("search").focus();
	app.searches = false;
}

function pagedTable(main, title, columns, path, sort) {
	const note = make("p", { role: "status" });
	const back = make("button", { type: "button" }, "Previous"), forth = make("button", { type: "button" }, "Next");
	let from = 0;
	const t = table(title, columns, { sort, down: true, onsort() { from = 0; load(); } });
	async function load() {
		try {
			const q = new URLSearchParams({ from, limit: 50, sort: t.state.sort || "", down: t.state.down ? 1 : 0 });
			const answer = await api(path + "?" + q);
			t.fill(answer.items);
			t.el.hidden = !answer.total;
			back.hidden = forth.hidden = answer.total <= 50;
			note.textContent = answer.total ? number.format(from + 1) + " to " + number.format(from + answer.items.length) + " of " + number.format(answer.total) : "none";
			back.disabled = from === 0;
			forth.disabled = from + answer.items.length >= answer.total;
		} catch (error) {
			note.replaceChildren(failure(error));
		}
	}
	back.addEventListener("click", () => { from = Math.max(0, from - 50); load(); });
	forth.addEventListener("click", () => { from += 50; load(); });
	main.append(make("h2", {}, title), t.el, make("div", { class: "row pager" }, back, forth, note));
	load();
	return load;
}

function addressesView(main, given) {
	const load = pagedTable(main, "Subnets", [
		{ name: "Subnet", sort: "id", cell: (s) => make("a", { href: "#leases&subnet=" + s.id }, s.subnet) },
		{ name: "Id", num: true, cell: (s) => String(s.id) },
		{ name: "Shared network", sort: "network", cell: (s) => s.network || "" },
		{ name: "Used", sort: "used", num: true, cell: (s) => make("span", {}, bar(s.used, s.total), " " + (s.total ? percent.format(s.used / s.total) : "no pool")) },
		{ name: "Addresses", num: true, cell: (s) => number.format(s.used) + " of " + number.format(s.total) },
		{ name: "Declined", num: true, cell: (s) => number.format(s.declined) },
		{ name: "Pools", cell: (s) => make("details", {}, make("summary", {}, String(s.pools.length)),
			...s.pools.map((p) => make("div", {}, p.range + ": " + number.format(p.used) + " of " + number.format(p.total)))) },
	], "subnets", "used");
	pagedTable(main, "Shared networks", [
		{ name: "Network", sort: "name", cell: (n) => n.name },
		{ name: "Subnets", num: true, cell: (n) => String(n.subnets) },
		{ name: "Used", sort: "used", num: true, cell: (n) => make("span", {}, bar(n.used, n.total), " " + (n.total ? percent.format(n.used / n.total) : "no pool")) },
		{ name: "Addresses", num: true, cell: (n) => number.format(n.used) + " of " + number.format(n.total) },
	], "networks", "used");
	let n = 0;
	return { update() { if (++n % 20 === 0) load(); }, given };
}

function leasesView(main, given) {
	leasesPart(main, given);
	pagedTable(main, "Reservations", [
		{ name: "Identifier", cell: (r) => r.identifier },
		{ name: "Address", cell: (r) => r.address || "" },
		{ name: "Host name", cell: (r) => r.hostname || "" },
		{ name: "Subnet", num: true, cell: (r) => r.subnet ? String(r.subnet) : "global" },
		{ name: "Place", cell: (r) => r.at },
	], "reservations", null);
	return { update() {} };
}

/* --- Server: one client, configuration, events, health -------------------------------------------------------- */

function clientView(main, given) {
	const mac = make("input", { id: "mac", required: true, placeholder: "02:00:00:00:00:01", value: given.client || "" });
	const start = make("button", {}, "Start"), stop = make("button", { type: "button", disabled: true }, "Stop");
	const note = make("p", { role: "status" }), leases = make("div"), story = make("div", { "aria-live": "polite" });
	let timer = null, shown = 0, before = 0;
	async function poll() {
		try {
			const answer = await command("packet-trace-get");
			const traces = (answer.arguments && answer.arguments.traces) || [];
			for (; shown < traces.length; shown++)
				story.append(make("h3", {}, "Packet " + (shown + 1)), steps(traces[shown]));
			if (traces.length !== before)
				showLeases();
			before = traces.length;
			note.textContent = traces.length ? counted(traces.length, "packet") : "Waiting for a packet of this client.";
		} catch (error) {
			note.replaceChildren(failure(error));
		}
	}
	async function showLeases() {
		try {
			const answer = await command("lease4-get-by-hw-address", { "hw-address": mac.value.trim() });
			const list = (answer.arguments && answer.arguments.leases) || [];
			leases.replaceChildren(make("h3", {}, "Leases"), ...(list.length ? list.map((l) =>
				make("p", {}, l["ip-address"] + ", subnet " + l["subnet-id"] + ", " + (leaseStates[l.state] || l.state) + ", until ", moment(l.cltt + l["valid-lft"]))) :
				[make("p", { class: "none" }, "none")]));
		} catch (error) {
			leases.replaceChildren(failure(error));
		}
	}
	async function end() {
		clearInterval(timer);
		timer = null;
		start.disabled = false;
		stop.disabled = true;
		await command("packet-trace-stop").catch(() => null);
	}
	stop.addEventListener("click", end);
	const form = make("form", { class: "row", onsubmit: async (event) => {
		event.preventDefault();
		story.replaceChildren();
		shown = before = 0;
		showLeases();
		try {
			await command("packet-trace-get", { clear: true });
			await command("packet-trace-start", { "hw-address": mac.value.trim(), packets: 100 });
			start.disabled = true;
			stop.disabled = false;
			note.textContent = "Waiting for a packet of this client.";
			timer = setInterval(poll, 500);
		} catch (error) {
			note.replaceChildren(failure(error));
		}
	} }, make("label", {}, "Hardware address", mac), start, stop);
	main.append(make("h2", {}, "One client's story"),
		make("p", {}, "Follows the packets of one client stage by stage, with every option. Only one client can be followed at a time."), form, note, leases, story);
	if (!app.about.write) {
		start.disabled = true;
		note.textContent = "Following a client needs write access.";
	}
	if (given.client)
		showLeases();
	return { update() {}, close() { if (timer) end(); } };
}

/* A node with few members is open, and so are the outer two levels. */
function treeOf(node, depth) {
	const label = node.key !== undefined ? node.key + ": " : "";
	const at = node.at ? make("span", { class: "at" }, node.at) : null;
	if (!node.items)
		return make("li", {}, label + node.value, at);
	const open = depth < 2 || (node.items.length <= 12 && !node.deep);
	return make("li", {}, make("details", { open }, make("summary", {}, label + (node.list ? "[" + node.items.length + "]" : "{" + node.items.length + "}"), at),
		make("ul", {}, ...node.items.map((n) => treeOf(n, depth + 1)))));
}

function configView(main) {
	const box = make("div");
	main.append(make("h2", {}, "Configuration in effect"), make("p", {}, "With every default. A place is shown where the file gives the value; passwords are not shown."), box);
	api("config").then((c) => box.append(make("p", {}, "SHA-256 " + c.hash), make("ul", { class: "tree" }, treeOf(c.tree, 0)))).catch((e) => box.append(failure(e)));
	if (app.about.write)
		main.append(make("div", { class: "row" }, make("button", { type: "button", class: "danger", onclick: async () => {
			if (!await ask("Read the configuration file again? A file with a problem changes nothing.", "Reload"))
				return;
			try {
				const answer = await command("config-reload");
				box.prepend(make("p", { role: "status" }, answer.text));
			} catch (error) {
				box.prepend(failure(error));
			}
		} }, "Reload the configuration"), make("button", { type: "button", class: "danger", onclick: async () => {
			const on = app.tick.state === "disabled";
			if (!on && !await ask("Stop answering clients? Leases stay; no client gets or renews one.", "Disable"))
				return;
			await command(on ? "dhcp-enable" : "dhcp-disable").catch((e) => box.prepend(failure(e)));
		} }, "Disable or enable the service")));
	return { update() {} };
}

function logView(main) {
	const box = make("pre", { tabindex: "0", "aria-label": "Log" });
	main.append(make("h2", {}, "Log"), box);
	let shown = "";
	return { update() {
		const text = app.log.join("\n");
		if (text === shown)
			return;
		const end = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
		box.textContent = shown = text;
		if (end)
			box.scrollTop = box.scrollHeight;
	} };
}

function healthView(main) {
	const box = make("div");
	main.append(make("h2", {}, "Health"), box);
	async function load() {
		try {
			const h = await api("health");
			box.replaceChildren(...h.groups.map((g) => make("section", {}, make("h3", {}, g.name),
				make("table", { class: "facts-table" }, make("tbody", {}, ...g.rows.map((r) => make("tr", {}, make("th", { scope: "row" }, r[0]), make("td", {}, String(r[1])))))))));
		} catch (error) {
			box.replaceChildren(failure(error));
		}
	}
	load();
	let n = 0;
	return { update() { if (++n % 10 === 0) load(); } };
}

/* --- Gate and client ----------------------------------------------------------------------------------- */

/* An alert: its time, severity and description, and all its members behind them. */
function alertOf(a) {
	return make("details", { class: "alert" }, make("summary", {}, moment(a.time), " ", make("b", {}, a.severity || "alert"), " " + (a.description || "")),
		make("pre", {}, JSON.stringify(a, null, 1)));
}

function rulesView(main) {
	const t = table("Rules", [
		{ name: "Rule", cell: (r) => r.name ? r.name + " (" + r.where + ")" : r.where },
		{ name: "Event", cell: (r) => r.event },
		{ name: "Runs", num: true, cell: (r) => number.format(r.calls) },
		{ name: "Failures", num: true, cell: (r) => number.format(r.faults) },
	], { onsort() {} });
	const box = make("div");
	let total = -1;
	main.append(make("h2", {}, "Rules"), t.el, make("h2", {}, "Last alerts"), box);
	async function load() {
		try {
			t.fill((await command("rules")).arguments.rules.map((r, i) => ({ key: String(i), ...r })));
			const answer = (await command("alerts", { limit: 50 })).arguments, alerts = answer.alerts.reverse();
			/* open ones stay open */
			if (answer.total === total)
				return;
			total = answer.total;
			box.replaceChildren(...(alerts.length ? alerts.map(alertOf) : [make("p", { class: "none" }, "none")]));
		} catch (error) {
			box.replaceChildren(failure(error));
		}
	}
	load();
	return { update: load };
}

function machineView(main) {
	const list = make("ul", { class: "states", "aria-label": "States" });
	const facts = make("table", { class: "facts-table" }, make("tbody"));
	main.append(make("h2", {}, "State machine"), list, make("h2", {}, "Now"), facts);
	return { update() {
		list.replaceChildren(...app.about.states.map((s) => make("li", { "aria-current": s.name === app.tick.machine ? "true" : null, title: s.purpose }, s.name)));
		facts.firstChild.replaceChildren(...(app.tick.facts || []).map((r) => make("tr", {}, make("th", { scope: "row" }, r[0]), make("td", {}, String(r[1])))));
	} };
}

const views = {
	pipeline: ["Pipeline", pipelineView], machine: ["State machine", machineView], rules: ["Rules", rulesView],
	addresses: ["Subnets", addressesView], leases: ["Leases", leasesView], client: ["One client", clientView],
	config: ["Configuration", configView], log: ["Log", logView], health: ["Health", healthView],
};

/* --- Life ------------------------------------------------------------------------------------- */

/* "#leases&subnet=7", "#client=02:…" */
function readPlace() {
	const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
	const name = Object.keys(given).find((k) => app.about.views.includes(k)) || app.about.views[0];
	return { name, given };
}

function show() {
	const { name, given } = readPlace(), main = byId("main");
	if (app.view && app.view.close)
		app.view.close();
	main.replaceChildren();
	for (const a of byId("views").querySelectorAll("a")) {
		if (a.dataset.view === name)
			a.setAttribute("aria-current", "page");
		else
			a.removeAttribute("aria-current");
	}
	document.title = views[name][0] + " - " + app.about.program;
	app.view = views[name][1](main, given);
	if (app.tick)
		app.view.update();
}

function setState(text, kind) {
	const el = byId("state");
	if (el.textContent !== text)
		el.textContent = text;
	el.className = kind;
}

function onTick(tick) {
	/* a program that was started again counts anew */
	if (!app.tick || tick.started !== app.tick.started)
		app.ticks = [];
	/* rates are those of a second: of the last tick that is old enough, as far as there is one */
	while (app.ticks.length > 1 && tick.time - app.ticks[1].time >= 900)
		app.ticks.shift();
	app.before = app.ticks[0] || null;
	app.ticks.push(tick);
	app.tick = tick;
	app.seen = Date.now();
	setState(tick.state, tick.health);
	byId("head").replaceChildren(...tick.head.map(([name, value, counter]) => make("div", {}, make("dt", {}, name),
		make("dd", {}, counter ? rateOf(grown((t) => t.head.find((h) => h[0] === name)[1])) + "/s" : typeof value === "number" ? number.format(value) : value))));
	if (app.view)
		app.view.update();
}

async function poll() {
	try {
		onTick(await api("tick"));
		addLines(await api("log"));
	} catch (error) {
		setState("no connection", "bad");
	}
}

/* Takes lines of the log with their numbers: some may have come before, by a poll. */
function addLines(log) {
	const first = (log.next || 0) - log.lines.length;
	if (log.since !== app.logSince) { /* the program was started again */
		app.logSince = log.since;
		app.nextLine = 0;
	}
	for (const [i, line] of log.lines.entries())
		if (first + i >= app.nextLine)
			app.log.push(line);
	app.nextLine = Math.max(app.nextLine, log.next || 0);
	app.log.splice(0, Math.max(0, app.log.length - 500));
	if (app.view)
		app.view.update();
}

function disconnect() {
	if (app.release)
		app.release();
	app.release = null;
	if (app.stream)
		app.stream.close();
	app.stream = null;
	clearInterval(app.timer);
	app.timer = null;
}

/* Opens the event stream; pass(name, text) gives each event to the other tabs. */
function openStream(pass) {
	const stream = new EventSource("/api/v1/events");
	app.stream = stream;
	for (const name of ["tick", "log"])
		stream.addEventListener(name, (e) => {
			pass(name, e.data);
			onEvent(name, e.data);
		});
	stream.addEventListener("error", () => {
		setState("no connection", "bad");
		if (stream.readyState === EventSource.CLOSED && app.stream === stream) {
			app.stream = null;
			app.timer = setInterval(poll, 1000 + Math.random() * 200);
		}
	});
}

function onEvent(name, text) {
	if (name === "tick")
		onTick(JSON.parse(text));
	else
		addLines(JSON.parse(text));
}

/*
 * A browser has six connections to one server for all of its tabs. So one tab has the event stream, and passes the events on; a tab
 * that cannot know of others (no locks without a secure context) asks once a second.
 */
function connect() {
	disconnect();
	poll();
	if (!navigator.locks || !window.BroadcastChannel) {
		app.timer = setInterval(poll, 1000 + Math.random() * 200);
		return;
	}
	const channel = new BroadcastChannel("usher-events"), stop = new AbortController();
	channel.onmessage = (e) => onEvent(e.data.name, e.data.text);
	navigator.locks.request("usher-events", { signal: stop.signal }, () => new Promise((done) => {
		openStream((name, text) => channel.postMessage({ name, text }));
		app.release = () => {
			channel.close();
			done();
		};
	})).catch(() => null);
	app.release = () => {
		stop.abort();
		channel.close();
	};
	/* the tab with the stream may be stuck, or its server may be gone */
	app.timer = setInterval(() => {
		if (!app.stream && Date.now() - app.seen > 3000)
			poll();
	}, 1000);
}

function setScheme(scheme) {
	document.documentElement.dataset.scheme = scheme;
	byId("scheme").textContent = scheme === "dark" ? "Light colours" : "Dark colours";
}

function keyTable() {
	const rows = [["/", "search leases"], ["j, k", "next, previous row"], ["Esc", "close, leave the search"], ["?", "this list"],
		...app.about.views.map((v, i) => ["g " + (i + 1), views[v][0]])];
	byId("key-rows").replaceChildren(...rows.map((r) => make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, r[0])), make("td", {}, r[1]))));
}

let goPressed = false;

function onKey(event) {
	const inField = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
	if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]"))
		return;
	if (event.key === "Escape" && inField) {
		event.preventDefault(); /* a browser would empty the field */
		document.activeElement.blur();
	}
	if (inField)
		return;
	if (goPressed && /^[1-9]$/.test(event.key) && app.about.views[event.key - 1])
		location.hash = app.about.views[event.key - 1];
	goPressed = event.key === "g";
	if (event.key === "?")
		byId("keys").showModal();
	if (event.key === "/" && app.about.views.includes("leases")) {
		event.preventDefault();
		app.searches = true;
		if (readPlace().name !== "leases")
			location.hash = "leases";
		else
			focusSearch();
	}
	if (event.key === "j" || event.key === "k") {
		const all = [...byId("main").querySelectorAll("tbody tr")].map((r) => r.querySelector("a, button, summary")).filter(Boolean);
		const at = all.findIndex((el) => el.closest("tr") === (document.activeElement.closest && document.activeElement.closest("tr")));
		const to = all[at < 0 ? 0 : at + (event.key === "j" ? 1 : -1)];
		if (to)
			to.focus();
	}
}

async function begin() {
	let stored = null;
	try {
		stored = localStorage.getItem("scheme");
	} catch (error) {
		/* a browser may forbid storage */
	}
	const dark = matchMedia("(prefers-color-scheme: dark)").matches;
	if (stored)
		setScheme(stored);
	else
		byId("scheme").textContent = dark ? "Light colours" : "Dark colours";
	byId("scheme").addEventListener("click", () => {
		const scheme = (document.documentElement.dataset.scheme || (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
		setScheme(scheme);
		try {
			localStorage.setItem("scheme", scheme);
		} catch (error) {
			/* the choice lasts as long as the page */
		}
	});
	try {
		app.about = await api("about");
	} catch (error) {
		setState("no connection", "bad");
		byId("main").replaceChildren(failure(error));
		setTimeout(begin, 2000);
		return;
	}
	byId("program").textContent = app.about.program + " " + app.about.version;
	byId("views").replaceChildren(...app.about.views.map((v) => make("li", {}, make("a", { href: "#" + v, "data-view": v }, views[v][0]))));
	keyTable();
	addEventListener("hashchange", show);
	addEventListener("keydown", onKey);
	document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
	show();
	connect();
}

begin();
