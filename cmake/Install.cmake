# `cmake --install` and the wheel lay out the same files: headers, library, CMake package.
# In the wheel everything lies inside the Python package, where get_include() and get_cmake_dir() point.
set(SUPERPIX_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/superpix)

install(TARGETS superpix EXPORT superpixTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY cpp/include/superpix DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_BINARY_DIR}/include/superpix/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/superpix)
install(EXPORT superpixTargets NAMESPACE superpix:: DESTINATION ${SUPERPIX_CMAKE_DIR})
if(SUPERPIX_HAVE_CUDA AND NOT BUILD_SHARED_LIBS)
  # Redistributable by the CUDA Toolkit EULA, attachment A.
  get_target_property(cudart CUDA::cudart_static IMPORTED_LOCATION)
  get_filename_component(SUPERPIX_CUDART "${cudart}" NAME)
  install(FILES "${cudart}" DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
# The C++ runtime, which C programs that link the static library must name.
set(SUPERPIX_CXX_RUNTIME "")
foreach(library stdc++ c++ m)
  if(library IN_LIST CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
    list(APPEND SUPERPIX_CXX_RUNTIME ${library})
  endif()
endforeach()
configure_package_config_file(cmake/superpixConfig.cmake.in superpixConfig.cmake
                              INSTALL_DESTINATION ${SUPERPIX_CMAKE_DIR}
                              PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(superpixConfigVersion.cmake COMPATIBILITY ${SUPERPIX_COMPATIBILITY})
install(FILES ${PROJECT_BINARY_DIR}/superpixConfig.cmake
              ${PROJECT_BINARY_DIR}/superpixConfigVersion.cmake DESTINATION ${SUPERPIX_CMAKE_DIR})

# pkg-config, for who does not use CMake. Paths are relative, so that a wheel may lie anywhere, unless
# CMAKE_INSTALL_LIBDIR is absolute.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(IS_ABSOLUTE "${pc_dir}")
  set(SUPERPIX_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
else()
  string(REGEX REPLACE "[^/]+" ".." up ${pc_dir})
  set(SUPERPIX_PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(dir LIBDIR INCLUDEDIR)
  set(SUPERPIX_PC_${dir} "\${prefix}")
  cmake_path(APPEND SUPERPIX_PC_${dir} ${CMAKE_INSTALL_${dir}})
endforeach()
set(SUPERPIX_PC_LIBS "-lsuperpix")
get_target_property(suffix superpix SUFFIX)
if(suffix)
  set(SUPERPIX_PC_LIBS "-l:libsuperpix${suffix}")
endif()
if(NOT BUILD_SHARED_LIBS)
  # What a shared library knows of itself.
  if(SUPERPIX_HAVE_CUDA)
    string(APPEND SUPERPIX_PC_LIBS " -lcudart_static -ldl -lrt")
  endif()
  foreach(library IN LISTS SUPERPIX_CXX_RUNTIME)
    string(APPEND SUPERPIX_PC_LIBS " -l${library}")
  endforeach()
  string(APPEND SUPERPIX_PC_LIBS " -pthread")
endif()
configure_file(cmake/superpix.pc.in superpix.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/superpix.pc DESTINATION ${pc_dir})
