/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reads the dynamic symbols of an ELF file (System V ABI, "Object Files"). The file is not trusted:
 * every offset is checked and sizes are bounded. It is read, not mapped, so that a file that
 * shrinks meanwhile does no harm. The dynamic section has no length of the symbol table; the table
 * ends where the strings begin, or with its segment. An entry behind its end does no harm: the
 * loader looks the symbol up itself and decides.
 */
#include "base/object.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PHDRS_MAX = 256, TABLE_MAX = 64 << 20, DYN_MAX = 4096 };

/* Holds the program's own ELF header, under the linker's name: a library must have its class and
 * machine. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct object {
	int fd;
	ElfW(Phdr) * phdrs;
	size_t n_phdrs;
	ElfW(Addr) symtab, strtab;
	size_t strsz;
	bool program; /* DF_1_PIE: not to be loaded by another */
	char *strings;
	ElfW(Sym) * symbols;
	size_t n_symbols;
};

static bool read_at(int fd, void *to, size_t n, uint64_t at)
{
	return at <= INT64_MAX - n && pread(fd, to, n, (off_t)at) == (ssize_t)n;
}

static const char *read_header(struct object *o)
{
	ElfW(Ehdr) h;

	if (!read_at(o->fd, &h, sizeof(h), 0) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
		return "it is no ELF file";
	if (h.e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS] ||
	    h.e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA] ||
	    h.e_machine != __ehdr_start.e_machine)
		return "it is built for another machine";
	if (h.e_type != ET_DYN)
		return "it is no shared object";
	if (h.e_phentsize != sizeof(ElfW(Phdr)) || !h.e_phnum || h.e_phnum > PHDRS_MAX)
		return "its program headers are damaged";
	o->n_phdrs = h.e_phnum;
	o->phdrs = calloc(h.e_phnum, sizeof(*o->phdrs));
	if (!o->phdrs)
		return "out of memory";
	return read_at(o->fd, o->phdrs, o->n_phdrs * sizeof(*o->phdrs), h.e_phoff)
		       ? NULL
		       : "it is cut off";
}

/* Finds the offset of an address in the file, and the number of octets of its segment from
 * there. */
static bool find_address(const struct object *o, ElfW(Addr) addr, uint64_t *ret_at,
			 uint64_t *ret_left)
{
	for (size_t i = 0; i < o->n_phdrs; i++) {
		const ElfW(Phdr) *p = &o->phdrs[i];

		if (p->p_type != PT_LOAD || addr < p->p_vaddr || addr - p->p_vaddr >= p->p_filesz)
			continue;
		*ret_at = p->p_offset + (addr - p->p_vaddr);
		*ret_left = p->p_filesz - (addr - p->p_vaddr);
		return true;
	}
	return false;
}

static const char *read_dynamic(struct object *o)
{
	const ElfW(Phdr) *p = o->phdrs;
	ElfW(Dyn) d = {.d_tag = DT_DEBUG};

	while (p < o->phdrs + o->n_phdrs && p->p_type != PT_DYNAMIC)
		p++;
	if (p == o->phdrs + o->n_phdrs)
		return "it is no shared object";
	for (size_t i = 0; i < DYN_MAX && i < p->p_filesz / sizeof(d) && d.d_tag != DT_NULL; i++) {
		if (!read_at(o->fd, &d, sizeof(d), p->p_offset + i * sizeof(d)))
			return "it is cut off";
		if (d.d_tag == DT_SYMTAB)
			o->symtab = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRTAB)
			o->strtab = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRSZ)
			o->strsz = d.d_un.d_val;
		else if (d.d_tag == DT_FLAGS_1)
			o->program = d.d_un.d_val & DF_1_PIE;
	}
	return o->program ? "it is a program, no library" : NULL;
}

static const char *read_symbols(struct object *o)
{
	uint64_t at;
	uint64_t left;

	if (!find_address(o, o->strtab, &at, &left) || o->strsz > left || o->strsz > TABLE_MAX ||
	    !o->strsz)
		return "its table of names is damaged";
	o->strings = calloc(1, o->strsz + 1);
	if (!o->strings || !read_at(o->fd, o->strings, o->strsz, at))
		return "it is cut off";
	if (!find_address(o, o->symtab, &at, &left))
		return "its table of symbols is damaged";
	if (o->strtab > o->symtab && o->strtab - o->symtab < left)
		left = o->strtab - o->symtab;
	o->n_symbols = (left < TABLE_MAX ? left : TABLE_MAX) / sizeof(*o->symbols);
	o->symbols = calloc(o->n_symbols ? o->n_symbols : 1, sizeof(*o->symbols));
	if (!o->symbols || !read_at(o->fd, o->symbols, o->n_symbols * sizeof(*o->symbols), at))
		return "it is cut off";
	return NULL;
}

static bool has_symbol(const struct object *o, const char *name)
{
	for (size_t i = 1; i < o->n_symbols; i++) {
		const ElfW(Sym) *s = &o->symbols[i];

		if (s->st_name < o->strsz && s->st_shndx != SHN_UNDEF &&
		    strcmp(o->strings + s->st_name, name) == 0)
			return true;
	}
	return false;
}

static const char *read_object(struct object *o)
{
	const char *bad = read_header(o);

	if (!bad)
		bad = read_dynamic(o);
	return bad ? bad : read_symbols(o);
}

int object_check(const char *path, const char *const *symbols, size_t n, char *why, size_t why_cap)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct object o = {.fd = fd};
	const char *bad = NULL;
	struct stat st;
	size_t i = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		bad = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		bad = "it is no regular file";
	else
		bad = read_object(&o);
	if (bad)
		(void)snprintf(why, why_cap, "%s", bad);
	while (!bad && i < n && has_symbol(&o, symbols[i]))
		i++;
	if (!bad && i < n)
		(void)snprintf(why, why_cap,
			       "it does not export %s (a C library for Usher is expected)",
			       symbols[i]);
	free(o.phdrs);
	free(o.strings);
	free(o.symbols);
	return bad || i < n ? -USHER_E_HOOK : 0;
}
