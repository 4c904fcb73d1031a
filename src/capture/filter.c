/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The programs are put together from straight blocks, one for each place the IP header can be at.
 */
#include "capture/filter.h"

#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#include <errno.h>
#include <sys/socket.h>

enum { CHADDR_OFF = 28, SNAP_ALL = 0x40000 };

static void add_insn(struct filter *f, unsigned code, unsigned jt, unsigned jf, uint32_t k)
{
	f->insns[f->n++] = (struct sock_filter){(uint16_t)code, (uint8_t)jt, (uint8_t)jf, k};
}

/* Takes the frame if the IPv4 header at off is of UDP to port; ends the program either way. */
static void add_ip_block(struct filter *f, uint32_t off, uint16_t port)
{
	add_insn(f, BPF_LD | BPF_B | BPF_ABS, 0, 0, off + IPV4_PROTO_OFF);
	add_insn(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, IPV4_PROTO_UDP);
	add_insn(f, BPF_LD | BPF_H | BPF_ABS, 0, 0, off + IPV4_FRAG_OFF);
	add_insn(f, BPF_JMP | BPF_JSET | BPF_K, 4, 0, IPV4_OFFSET_MASK);
	add_insn(f, BPF_LDX | BPF_B | BPF_MSH, 0, 0, off);
	add_insn(f, BPF_LD | BPF_H | BPF_IND, 0, 0, off + UDP_DPORT_OFF);
	add_insn(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, port);
	add_insn(f, BPF_RET | BPF_K, 0, 0, SNAP_ALL);
	add_insn(f, BPF_RET | BPF_K, 0, 0, 0);
}

enum { IP_BLOCK_LEN = 9, FILTER_MAX_TAGS = 2 };

void filter_udp_port(struct filter *f, uint16_t port)
{
	f->n = 0;
	for (uint32_t tags = 0; tags <= FILTER_MAX_TAGS; tags++) {
		uint32_t type_off = ETH_TYPE_OFF + tags * ETH_TAG_LEN;

		add_insn(f, BPF_LD | BPF_H | BPF_ABS, 0, 0, type_off);
		add_insn(f, BPF_JMP | BPF_JEQ | BPF_K, 0, IP_BLOCK_LEN, ETH_TYPE_IPV4);
		add_ip_block(f, type_off + ETH_TYPE_LEN, port);
		if (tags == FILTER_MAX_TAGS)
			break;
		add_insn(f, BPF_JMP | BPF_JEQ | BPF_K, 3, 0, ETH_TYPE_VLAN);
		add_insn(f, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, ETH_TYPE_QINQ);
		add_insn(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ETH_TYPE_QINQ_OLD);
		add_insn(f, BPF_RET | BPF_K, 0, 0, 0);
	}
	add_insn(f, BPF_RET | BPF_K, 0, 0, 0);
}

void filter_none(struct filter *f)
{
	f->n = 0;
	add_insn(f, BPF_RET | BPF_K, 0, 0, 0);
}

/* Adds instructions that load A with a hash of the six octets at X + off, well mixed in its low
 * bits. */
static void add_hash(struct filter *f, uint32_t off)
{
	add_insn(f, BPF_LD | BPF_W | BPF_IND, 0, 0, off);
	add_insn(f, BPF_ST, 0, 0, 0);
	add_insn(f, BPF_LD | BPF_H | BPF_IND, 0, 0, off + 4);
	add_insn(f, BPF_LDX | BPF_W | BPF_MEM, 0, 0, 0);
	add_insn(f, BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0);
	add_insn(f, BPF_ALU | BPF_MUL | BPF_K, 0, 0, 0x9e3779b1);
	add_insn(f, BPF_ALU | BPF_RSH | BPF_K, 0, 0, 16);
}

void filter_fanout_chaddr(struct filter *f)
{
	uint32_t net = (uint32_t)SKF_NET_OFF;

	f->n = 0;
	add_insn(f, BPF_LDX | BPF_B | BPF_MSH, 0, 0, net);
	add_hash(f, net + UDP_HDR_LEN + CHADDR_OFF);
	add_insn(f, BPF_RET | BPF_A, 0, 0, 0);
}

void filter_fanout_pair(struct filter *f, unsigned members)
{
	f->n = 0;
	/* frames other than IPv4 stay with the first */
	add_insn(f, BPF_LD | BPF_H | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL));
	add_insn(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ETH_TYPE_IPV4);
	add_insn(f, BPF_RET | BPF_K, 0, 0, 0);
	add_insn(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)SKF_NET_OFF + IPV4_SRC_OFF);
	add_insn(f, BPF_MISC | BPF_TAX, 0, 0, 0);
	add_insn(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)SKF_NET_OFF + IPV4_SRC_OFF + 4);
	add_insn(f, BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0);
	add_insn(f, BPF_ALU | BPF_MUL | BPF_K, 0, 0, 0x9e3779b1);
	add_insn(f, BPF_ALU | BPF_RSH | BPF_K, 0, 0, 16);
	add_insn(f, BPF_ALU | BPF_MOD | BPF_K, 0, 0, members);
	add_insn(f, BPF_RET | BPF_A, 0, 0, 0);
}

void filter_reuseport_chaddr(struct filter *f, unsigned members)
{
	f->n = 0;
	add_insn(f, BPF_LDX | BPF_W | BPF_IMM, 0, 0, 0);
	add_hash(f, CHADDR_OFF);
	add_insn(f, BPF_ALU | BPF_MOD | BPF_K, 0, 0, members);
	add_insn(f, BPF_RET | BPF_A, 0, 0, 0);
}

int filter_attach(int fd, int opt, struct filter *f)
{
	struct sock_fprog prog = {f->n, f->insns};

	return setsockopt(fd, SOL_SOCKET, opt, &prog, sizeof(prog)) < 0 ? -errno : 0;
}
