/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The whole core interface; see sockport/api.h for its conventions.  */

#ifndef SKP_SOCKPORT_H
#define SKP_SOCKPORT_H

#include <sockport/address.h>
#include <sockport/batch.h>
#include <sockport/bulk.h>
#include <sockport/connect.h>
#include <sockport/constant.h>
#include <sockport/control.h>
#include <sockport/http-chunk.h>
#include <sockport/http-head.h>
#include <sockport/http-uri.h>
#include <sockport/field.h>
#include <sockport/file.h>
#include <sockport/message.h>
#include <sockport/interface.h>
#include <sockport/option.h>
#include <sockport/poller.h>
#include <sockport/process.h>
#include <sockport/proxy-header.h>
#include <sockport/resolve.h>
#include <sockport/socket.h>
#include <sockport/structure.h>
#include <sockport/stream.h>
#include <sockport/transfer.h>
#include <sockport/websocket.h>

#endif /* SKP_SOCKPORT_H */
