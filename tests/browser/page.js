// SPDX-License-Identifier: MPL-2.0
// Drives the page in Chromium: page.js URL SCENARIO [ARGUMENT=VALUE ...]. Prints one line of JSON: the results of the scenario. Each
// scenario fails on an error in the console, on a request to another origin, and on a violation of the content policy.
"use strict";

const fs = require("fs");
const path = require("path");
const { chromium } = require("playwright-core");

const [url, scenario, ...rest] = process.argv.slice(2);
const args = Object.fromEntries(rest.map((a) => [a.slice(0, a.indexOf("=")), a.slice(a.indexOf("=") + 1)]));
const limit = Number(args.limit || 20000);
const faults = [];

function watch(page) {
	page.on("console", (m) => {
		// a stream that ends with its server is reported by the browser itself
		if (m.type() === "error" && !(args.restarts && /ERR_|Failed to load|EventSource/.test(m.text())))
			faults.push("console: " + m.text());
	});
	page.on("pageerror", (e) => faults.push("error: " + e.message));
	page.on("request", (r) => {
		if (!r.url().startsWith(url))
			faults.push("foreign request: " + r.url());
	});
	page.setDefaultTimeout(limit);
}

async function open(browser, options) {
	const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ignoreHTTPSErrors: true, ...options });
	const page = await context.newPage();
	watch(page);
	await page.goto(url + (args.place ? "#" + args.place : ""));
	await page.waitForSelector("#views a[aria-current]");
	return page;
}

async function go(page, view) {
	await page.click('#views a[data-view="' + view + '"]');
	await page.waitForSelector('#views a[data-view="' + view + '"][aria-current]');
	await page.waitForTimeout(400);
}

async function shoot(page, name) {
	if (args.shots)
		await page.screenshot({ path: path.join(args.shots, name + ".png"), fullPage: true, timeout: 3 * limit });
}

const scenarios = {
	// Every view in both schemes and on a phone: screenshots, and what axe finds.
	async views(browser) {
		const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
		const found = [], schemes = [];
		for (const [name, options] of [["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }],
			["phone", { colorScheme: "light", viewport: { width: 360, height: 780 } }]]) {
			const page = await open(browser, options);
			schemes.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
			await page.waitForFunction(() => document.querySelector("#state").textContent !== "connecting");
			const views = await page.$$eval("#views a", (all) => all.map((a) => a.dataset.view));
			for (const view of views) {
				await go(page, view);
				if (view === "client" && args.mac) {
					await page.fill("#mac", args.mac);
				}
				/* a phone has the colours of the light scheme */
				if (name !== "phone") {
					await page.evaluate(axe);
					const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
					for (const v of result.violations)
						if (v.impact === "serious" || v.impact === "critical")
							found.push(name + " " + view + ": " + v.id + " " + v.nodes[0].html.slice(0, 120));
				}
				const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1);
				if (wide)
					found.push(name + " " + view + ": scrolls sideways");
				await shoot(page, name + "-" + view);
			}
			await page.context().close();
		}
		return { found, schemes };
	},

	// Waits until the counters of the pipeline show what happened since the page was open; prints "ready" when it is.
	async counters(browser) {
		const page = await open(browser);
		await page.waitForFunction(() => /packets\/s/.test(document.querySelector(".edge").textContent));
		const before = await page.$$eval(".edge", (all) => all.map((e) => e.textContent));
		process.stdout.write("ready\n");
		const began = Date.now();
		await page.waitForFunction((text) => document.querySelector(".stages").lastChild.textContent !== text, before[before.length - 1], { polling: 20 });
		const took = Date.now() - began;
		return { took, last: await page.$eval(".stages", (e) => e.lastChild.textContent) };
	},

	// The drops of a stage, and the traces of those that come while the page looks.
	async drops(browser) {
		const page = await open(browser);
		await page.click("text=" + args.reason);
		await page.waitForSelector(".panel h3");
		process.stdout.write("ready\n");
		for (let i = 0; i < 100 && !(await page.$(".panel .steps")); i++) {
			await page.waitForTimeout(200);
			await page.click("text=Look again");
			await page.waitForTimeout(100);
		}
		await shoot(page, "drops");
		return { text: await page.$eval(".panel", (e) => e.textContent) };
	},

	// One client's story.
	async story(browser) {
		const page = await open(browser);
		await go(page, "client");
		await page.fill("#mac", args.mac);
		await page.click("text=Start");
		await page.waitForFunction(() => /Waiting/.test(document.querySelector("main").textContent));
		process.stdout.write("ready\n");
		await page.waitForFunction(() => document.querySelectorAll("main .steps").length >= 2);
		await shoot(page, "story");
		const text = await page.$eval("main", (e) => e.textContent);
		await page.click("text=Stop");
		return { text };
	},

	// A search among many leases.
	async search(browser) {
		const page = await open(browser);
		await go(page, "leases");
		await page.waitForFunction(() => document.querySelectorAll("tbody tr").length >= 100);
		const began = Date.now();
		await page.fill("#search", args.text);
		await page.waitForFunction((t) => {
			const rows = [...document.querySelectorAll("main tbody")][0].querySelectorAll("tr");
			return rows.length >= 1 && [...rows].every((r) => r.textContent.includes(t)) && /all/.test(document.querySelector("[role=status]:not(#state)").textContent);
		}, args.text);
		const took = Date.now() - began;
		await shoot(page, "search");
		return { took, rows: await page.$eval("main tbody", (e) => e.rows.length), images: await page.$$eval("main img", (all) => all.length) };
	},

	// Deletes a lease, with the keyboard alone.
	async keyboard(browser) {
		const page = await open(browser);
		await page.waitForFunction(() => document.querySelector("#state").textContent === "serving");
		await page.keyboard.press("?");
		await page.waitForSelector("#keys[open]");
		await page.keyboard.press("Escape");
		await page.keyboard.press("/");
		await page.waitForFunction(() => document.activeElement.id === "search");
		await page.keyboard.type(args.address);
		await page.waitForFunction((a) => [...document.querySelectorAll("main tbody")][0].rows.length === 1 &&
			document.querySelector("main tbody tr").textContent.includes(a), args.address);
		await page.keyboard.press("Escape");
		await page.keyboard.press("j");
		for (let i = 0; i < 5; i++) {
			if (await page.evaluate(() => document.activeElement.className === "danger"))
				break;
			await page.keyboard.press("Tab");
		}
		await page.keyboard.press("Enter");
		await page.waitForSelector("#confirm[open]");
		// Cancel has the focus
		const focus = await page.evaluate(() => document.activeElement.textContent);
		await page.keyboard.press("Shift+Tab");
		await page.keyboard.press("Enter");
		await page.waitForFunction(() => document.querySelectorAll("main tbody")[0].rows.length === 0);
		await page.keyboard.press("g");
		await page.keyboard.press("7");
		await page.waitForSelector("text=Health");
		return { focus };
	},

	// The page while its server ends and starts again.
	async restart(browser) {
		const page = await open(browser);
		await page.waitForFunction(() => document.querySelector("#state").textContent === "serving");
		process.stdout.write("ready\n");
		await page.waitForFunction(() => document.querySelector("#state").textContent === "no connection");
		process.stdout.write("lost\n");
		await page.waitForFunction(() => document.querySelector("#state").textContent === "serving");
		return {};
	},

	// More tabs than a browser has connections to one server.
	async tabs(browser) {
		const context = await browser.newContext();
		const states = [];
		for (let i = 0; i < 8; i++) {
			const page = await context.newPage();
			watch(page);
			await page.goto(url);
			await page.bringToFront();
			await page.waitForFunction(() => document.querySelector("#state").textContent === "serving");
			states.push(i);
		}
		return { tabs: states.length };
	},

	// The log has each line once, however the page got it.
	async log(browser) {
		const page = await open(browser);
		await go(page, "log");
		await page.waitForFunction(() => /DHCP4_STARTED/.test(document.querySelector("main pre").textContent));
		process.stdout.write("ready\n");
		await page.waitForFunction(() => /config-hash-get/.test(document.querySelector("main pre").textContent));
		const lines = (await page.$eval("main pre", (e) => e.textContent)).split("\n");
		return { started: lines.filter((l) => l.includes(" DHCP4_STARTED ")).length, hash: lines.filter((l) => l.includes("config-hash-get")).length };
	},

	// The views of the gate.
	async gate(browser) {
		const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
		const page = await open(browser);
		await page.waitForFunction(() => /drop-rule/.test(document.querySelector("main").textContent));
		const pipeline = await page.$eval("main", (e) => e.textContent);
		await shoot(page, "gate-pipeline");
		await go(page, "rules");
		await page.waitForFunction(() => /an echo/.test(document.querySelector("main").textContent));
		await page.evaluate(axe);
		const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
		await shoot(page, "gate-rules");
		return { pipeline, rules: await page.$eval("main", (e) => e.textContent),
			found: result.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id) };
	},

	// The state machine of a client.
	async machine(browser) {
		const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
		const page = await open(browser);
		await page.waitForSelector(".states li[aria-current]");
		await page.evaluate(axe);
		const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
		await shoot(page, "client-machine");
		return { current: await page.$eval(".states li[aria-current]", (e) => e.textContent), facts: await page.$eval("main table", (e) => e.textContent),
			found: result.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id) };
	},

	async readonly(browser) {
		const page = await open(browser, { httpCredentials: { username: args.user, password: args.password } });
		await go(page, "leases");
		const buttons = await page.$$eval("button.danger", (all) => all.length);
		await go(page, "config");
		return { buttons: buttons + await page.$$eval("button.danger", (all) => all.length), text: await page.$eval("main", (e) => e.textContent) };
	},
};

(async () => {
	const browser = await chromium.launch({ executablePath: args.browser || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
	let result = {};
	try {
		result = await scenarios[scenario](browser);
	} catch (error) {
		faults.push(String(error.stack || error).slice(0, 900));
	}
	await browser.close();
	process.stdout.write(JSON.stringify({ ...result, faults }) + "\n");
})();
