/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A reader's own side, for tests: everything about cards is handed to the virtual reader's driver (REAL); a command to the
 * reader itself is written into the file LOG as a line of hex digits and answered as an ACS reader would. While the file DEAF
 * exists no command is answered; while the file LOCKED exists the driver lets none through, as libccid does when delivered;
 * while the file MUTE exists the reader does not even answer the daemon; one whose file PULLED exists is not found at its start.
 * The interface is pcsc-lite's ifdhandler.h, version 3; its types are written out so that no headers are needed.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long DWORD;
typedef long RESPONSECODE;
typedef unsigned char UCHAR;
typedef struct { DWORD protocol, length; } PCI;

#define SUCCESS 0
#define COMMUNICATION_ERROR 612
#define NOT_SUPPORTED 606
#define NO_SUCH_DEVICE 617
#define ESCAPE 0x42000000UL + 1 /* what libccid calls it */
#define FEATURES 0x42000000UL + 3400

static void *real(const char *name)
{
	static void *library;
	if (library == NULL)
		library = dlopen(REAL, RTLD_NOW);
	return library == NULL ? NULL : dlsym(library, name);
}

#define HAND_ON(name, parameters, arguments) \
	RESPONSECODE name parameters { \
		RESPONSECODE (*other) parameters = real(#name); \
		return other == NULL ? COMMUNICATION_ERROR : other arguments; \
	}

HAND_ON(IFDHCreateChannel, (DWORD lun, DWORD channel), (lun, channel))
HAND_ON(IFDHCloseChannel, (DWORD lun), (lun))
HAND_ON(IFDHGetCapabilities, (DWORD lun, DWORD tag, DWORD *length, UCHAR *value), (lun, tag, length, value))
HAND_ON(IFDHSetCapabilities, (DWORD lun, DWORD tag, DWORD length, UCHAR *value), (lun, tag, length, value))
HAND_ON(IFDHSetProtocolParameters, (DWORD lun, DWORD protocol, UCHAR flags, UCHAR a, UCHAR b, UCHAR c), (lun, protocol, flags, a, b, c))
HAND_ON(IFDHPowerICC, (DWORD lun, DWORD action, UCHAR *atr, DWORD *length), (lun, action, atr, length))
HAND_ON(IFDHTransmitToICC, (DWORD lun, PCI send, UCHAR *tx, DWORD tx_length, UCHAR *rx, DWORD *rx_length, PCI *receive),
	(lun, send, tx, tx_length, rx, rx_length, receive))

static int exists(const char *file)
{
	return access(file, F_OK) == 0;
}

RESPONSECODE IFDHCreateChannelByName(DWORD lun, char *name)
{
	RESPONSECODE (*other)(DWORD, char *) = real("IFDHCreateChannelByName");
	return exists(PULLED) || other == NULL ? NO_SUCH_DEVICE : other(lun, name);
}

RESPONSECODE IFDHICCPresence(DWORD lun)
{
	RESPONSECODE (*other)(DWORD) = real("IFDHICCPresence");
	return exists(MUTE) || other == NULL ? COMMUNICATION_ERROR : other(lun);
}

static void write_down(const UCHAR *bytes, DWORD length)
{
	FILE *log = fopen(LOG, "a");
	if (log == NULL)
		return;
	for (DWORD at = 0; at < length; at++)
		fprintf(log, "%02X", bytes[at]);
	fputc('\n', log);
	fclose(log);
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, UCHAR *tx, DWORD tx_length, UCHAR *rx, DWORD rx_length, DWORD *returned)
{
	static const UCHAR feature[] = {0x13, 4, 0x42, 0, 0, 1};
	static UCHAR answer[] = {0xE1, 0, 0, 0, 1, 0x7F}; /* its last byte is how the reader behaves at a tag */
	(void)lun;
	*returned = 0;
	if (code == FEATURES) {
		if (exists(LOCKED) || rx_length < sizeof feature)
			return SUCCESS;
		memcpy(rx, feature, *returned = sizeof feature);
		return SUCCESS;
	}
	if (code != ESCAPE)
		return NOT_SUPPORTED;
	if (exists(LOCKED) || exists(DEAF))
		return COMMUNICATION_ERROR;
	write_down(tx, tx_length);
	if (tx_length == 6 && tx[0] == 0xE0 && tx[3] == 0x21)
		answer[5] = tx[5];
	if (sizeof answer > rx_length)
		return COMMUNICATION_ERROR;
	memcpy(rx, answer, *returned = sizeof answer);
	return SUCCESS;
}
